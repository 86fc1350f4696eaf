"""What is hosted: deployments and their hardware, the ledger of when how many replicas were up, and what that costs."""
