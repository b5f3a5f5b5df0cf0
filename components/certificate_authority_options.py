"""The options of the certificate authority."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from components.options import Allowed, Model, problem_of_secret


class CertificateAuthorityOptions(Model):
    """Who issues the certificates: an authority of the stack, or one's own."""

    common_name: Annotated[str, Allowed("1 to 64 printable ASCII characters")] = Field(
        default="inspiration",
        min_length=1,
        max_length=64,
        pattern=r"^[ -~]+$",
        description="name of the authority that the stack makes, which browsers and keychains show",
    )
    certificate: Annotated[str | None, Allowed("a certificate, PEM")] = Field(
        default=None, description="that of your authority, PEM"
    )
    private_key: Annotated[str | None, Allowed("the unencrypted private key of certificate, PEM")] = Field(
        default=None, description="the key of certificate, PEM, unencrypted; set it with --secret", repr=False
    )

    @model_validator(mode="after")
    def _whole_or_none(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise problem_of_secret("certificate and privateKey belong together; allowed: both of them, or neither")
        if self.certificate is not None and self.private_key is not None:
            # Takes a while to import, for what most stacks don't have.
            from components.certificate_check import unusable

            if text := unusable(self.certificate, self.private_key):
                raise problem_of_secret(text)
        return self
