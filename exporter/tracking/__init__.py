"""Work items over time: the ledger of what is known, the planner of what to read, and the trackers that do it."""
