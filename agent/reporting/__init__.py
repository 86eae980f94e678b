"""What people are told: the plan that is only shown, why a file is where it is, comparisons, checks."""
