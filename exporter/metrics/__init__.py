"""What is exposed: the table of metrics, and how a view of the fleet becomes exposition text."""
