"""The names under which the guide's commands look for the ticket workload."""
