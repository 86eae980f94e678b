"""What decides: names, settling, frame order, ids, the plan, states, trying again, spending. Pure, all of it."""
