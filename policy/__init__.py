"""The rules that every object of the stack follows: a policy pack, run by ``pulumi preview --policy-pack policy``."""
