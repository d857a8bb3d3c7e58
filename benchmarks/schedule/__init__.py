"""The polling schedule in virtual time: a model of the market, policies beside ours, and what each one's delay is."""
