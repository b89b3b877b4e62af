"""IAM of the local account: what a policy says (pure), what a call asks for, and the decision at the door."""
