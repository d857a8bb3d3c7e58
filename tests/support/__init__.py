"""What several tests need: real servers and the fake with what it lacks."""
