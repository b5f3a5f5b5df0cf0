"""What a rule is, and how Pulumi runs it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pulumi_policy import ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

from policy.exemptions import EXEMPTIONS
from policy.objects import KubernetesObject


@dataclass(frozen=True)
class Rule:
    """A rule about Kubernetes objects."""

    name: str
    """Its name in reports and among the exemptions."""
    description: str
    """What it asks for, in a sentence."""
    check: Callable[[KubernetesObject], Iterator[str]]
    """Yields what is wrong with an object, and how to mend it; nothing for objects that it isn't about."""

    def violations(self, subject: KubernetesObject) -> Iterator[str]:
        """Yield what is wrong with ``subject``, in a line each that names it; nothing where it is exempt.

        Raises:
            UnknownValueError: A value that matters won't be known before ``pulumi up``.
        """
        exempt = EXEMPTIONS.get(self.name, {})
        for problem in self.check(subject):
            if not any(fnmatchcase(subject.subject, listed) for listed in exempt):
                yield f"{subject.subject}: {problem}"

    def policy(self) -> ResourceValidationPolicy:
        """Return it as a policy of a pack."""

        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            subject = KubernetesObject.of(args.resource_type, args.props)
            for violation in self.violations(subject) if subject else ():
                report(violation, None)

        return ResourceValidationPolicy(self.name, self.description, validate)
