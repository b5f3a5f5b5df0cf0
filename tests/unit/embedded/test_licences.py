"""Licences are found where each kind of package has them, and one that isn't makes the command fail."""

from __future__ import annotations

import io
import json
import tarfile
from email.message import Message
from pathlib import Path

import pytest

from embedded.commands import licences as command
from embedded.licences import UNKNOWN, Part, go, others, python, recognized, spelt

APACHE = "Apache License\n   Version 2.0, January 2004\n"
MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
BSD = "Redistribution and use in source and binary forms, with or without modification, are permitted"


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (APACHE, "Apache-2.0"),
        (f"The MIT License\n\n{MIT}", "MIT"),
        (f"{BSD}. Neither the name of the author", "BSD-3-Clause"),
        (BSD, "BSD-2-Clause"),
        (f"// {BSD.replace(' in source', chr(10) + '// in source')}", "BSD-2-Clause"),
        ("Permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"),
        ("Mozilla Public License Version 2.0\n… a Secondary License: the GNU General Public License", "MPL-2.0"),
        ("GNU AFFERO GENERAL PUBLIC LICENSE\n  Version 3 … the GNU General Public License", "AGPL-3.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 3", "LGPL-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991", "GPL-2.0"),
        (f"{APACHE}\n{MIT}", "Apache-2.0 AND MIT"),
        ("All rights reserved.", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_licence_is_known_by_its_text(text: str, licence: str) -> None:
    assert recognized(text) == licence


def test_a_folder_has_the_licences_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.md").write_text(APACHE)
    (tmp_path / "COPYING").write_text(MIT)
    (tmp_path / "licenses.go").write_text("package licenses")
    assert go.licence_in(tmp_path) == "MIT AND Apache-2.0"
    assert go.licence_in(tmp_path / "gone") == UNKNOWN


def test_a_modules_folder_is_found_whatever_its_capitals() -> None:
    assert go.escaped("github.com/BurntSushi/toml") == "github.com/!burnt!sushi/toml"


def metadata(**fields: str) -> Message:
    message = Message()
    message["Name"], message["Version"] = "example", "1.0"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License_Expression": "MIT", "License": "whatever"}, "MIT"),
        ({"License": "Apache 2.0"}, "Apache-2.0"),
        ({"License": "UNKNOWN", "Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License": "text " * 100, "Classifier": "License :: OSI Approved :: BSD License"}, "BSD-3-Clause"),
        ({"Classifier": "Programming Language :: Python"}, UNKNOWN),
    ],
)
def test_a_python_package_says_it_in_one_of_three_ways(fields: dict[str, str], licence: str) -> None:
    assert python.part(metadata(**fields), "a test") == Part("PyPI", "example", "1.0", licence, "a test")


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def test_the_packages_of_an_image_are_found_in_its_layers(tmp_path: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        add(files, "usr/local/lib/packages/example-1.0.dist-info/METADATA", metadata(License="MIT").as_bytes())
        add(files, "usr/local/lib/packages/example/METADATA", b"something else")
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        add(archive, "index.json", json.dumps({"manifests": [{"digest": "sha256:aa"}]}).encode())
        add(archive, "blobs/sha256/aa", json.dumps({"layers": [{"digest": "sha256:bb"}]}).encode())
        add(archive, "blobs/sha256/bb", layer.getvalue())
    found = list(python.in_image(tmp_path / "image.tar", "shop"))
    assert found == [Part("PyPI", "example", "1.0", "MIT", "the image shop")]


def test_debian_s_packages_are_found_in_an_image(tmp_path: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        status = "Package: shop\nVersion: 1.0-1\n\nPackage: shop-data\nVersion: 1.0-2\n\nPackage: bare\nVersion: 3\n"
        add(files, "./var/lib/dpkg/status", status.encode())
        add(files, "./usr/share/doc/shop/copyright", b"License: GPL-2+\n")
        link = tarfile.TarInfo("./usr/share/doc/shop-data")
        link.type, link.linkname = tarfile.SYMTYPE, "shop"
        files.addfile(link)
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        add(archive, "manifest.json", json.dumps([{"Layers": ["blobs/sha256/bb"]}]).encode())
        add(archive, "blobs/sha256/bb", layer.getvalue())
    assert list(others.debian_in_image(tmp_path / "image.tar", "shop")) == [
        Part("Debian", "shop", "1.0-1", "GPL-2+", "the image shop"),
        Part("Debian", "shop-data", "1.0-2", "GPL-2+", "the image shop"),
        Part("Debian", "bare", "3", UNKNOWN, "the image shop"),
    ]


def test_npm_packages_are_those_of_the_lock(tmp_path: Path) -> None:
    packages = {
        "": {"name": "pages"},
        "node_modules/a": {"version": "1.0.0", "license": "MIT"},
        "node_modules/a/node_modules/@b/c": {"version": "2.0.0"},
    }
    (tmp_path / "package-lock.json").write_text(json.dumps({"packages": packages}))
    assert [(part.name, part.version, part.licence) for part in others.npm(tmp_path / "package-lock.json")] == [
        ("a", "1.0.0", "MIT"),
        ("@b/c", "2.0.0", UNKNOWN),
    ]


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("Files: *\nLicense: GPL-2+\n\nLicense: Expat\n Permission …", "Expat AND GPL-2+"),
        ("the full text is in /usr/share/common-licenses/GPL-2.", "GPL-2"),
        ("under the GNU Lesser General Public\nLicense, version 2.1 (or any later)", "LGPL-2.1"),
        ("the GNU General Public License as published by the Free Software Foundation; either version 2", "GPL-2"),
        ("see /usr/share/common-licenses/GPL", "GPL"),
        ("Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
        ("no word of it", UNKNOWN),
    ],
)
def test_debian_packages_name_them_in_their_copyright_file(text: str, licence: str) -> None:
    assert others.declared(text) == licence


def test_what_is_used_twice_is_listed_once() -> None:
    parts = [
        Part("npm", "a", "1", "MIT", "pages"),
        Part("Debian", "b", "2", "GPL-2", "x"),
        Part("npm", "a", "1", "MIT", "more"),
    ]
    assert command.merged(parts) == [
        Part("Debian", "b", "2", "GPL-2", "x"),
        Part("npm", "a", "1", "MIT", "more, pages"),
    ]


@pytest.mark.parametrize(("licence", "code"), [("MIT", 0), (UNKNOWN, 1)])
def test_an_unknown_licence_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], licence: str, code: int
) -> None:
    monkeypatch.setattr(command, "_parts", lambda: iter([Part("npm", "a", "1.0", licence, "pages")]))
    assert command.run(as_json=True) == code
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [
        {"kind": "npm", "name": "a", "version": "1.0", "licence": licence, "used": "pages"}
    ]
    assert ("the licence of npm a 1.0 isn't known" in captured.err) == bool(code)


def test_spellings_are_those_of_spdx() -> None:
    assert [spelt("Apache Software License"), spelt("MIT"), spelt(""), spelt("MIT License\nCopyright")] == [
        "Apache-2.0", "MIT", UNKNOWN, "MIT",
    ]  # fmt: skip
