"""What an order is and how it may change: values and rules, standard library only."""
