"""The reports: what each reads from the warehouse, how it is made, kept and sent, and their assets."""
