"""Kubernetes' own conformance tests on the embedded cluster: ``script/test --conformance``."""
