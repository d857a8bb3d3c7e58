"""The publisher: budget, schedule, diff, commit, and the service that ties them."""
