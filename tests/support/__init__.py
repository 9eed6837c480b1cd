"""What many tests start, wait for and parse."""
