"""The policy pack. Pulumi runs this folder as a program, which then waits for what it is asked to judge."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# The modules have the same names as in the rest of the project, wherever `pulumi` was started.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy.private_keys import PrivateKeys
from policy.rules import RULES

PolicyPack("inspiration", [*(rule.policy() for rule in RULES), PrivateKeys()], EnforcementLevel.MANDATORY)
