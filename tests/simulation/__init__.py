"""The whole service layer in virtual time, under faults that a seed draws."""
