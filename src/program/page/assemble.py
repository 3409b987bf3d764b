#!/usr/bin/env python3
"""Puts the page together: one file, which the program carries.

    assemble.py PAGE.html PAGE.css PAGE.js... >PAGE.hpp

The style and the scripts take the places of "{style}" and "{script}" in the page. A browser runs
and applies only what has the hash that the answer's Content-Security-Policy names.
"""

import base64
import hashlib
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def hash_of(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def array(text):
    """Numbers as C++ has them, since a literal may have 65,536 characters only (C++20, Annex B)."""
    values = [str(byte) if byte < 128 else f"'\\x{byte:x}'" for byte in text.encode()]
    lines = [values[i:i + 24] for i in range(0, len(values), 24)]
    return ",\n".join("    " + ", ".join(line) for line in lines)


page, style, *scripts = sys.argv[1:]
script = "\n".join(read(path) for path in scripts)
whole = read(page).replace("{style}", read(style)).replace("{script}", script)
print(f"""// Made by assemble.py.
#pragma once

#include <string_view>

namespace mcr {{
inline constexpr std::string_view page_style_hash = "{hash_of(read(style))}";
inline constexpr std::string_view page_script_hash = "{hash_of(script)}";
inline constexpr char page_bytes[] = {{
{array(whole)}}};
inline constexpr std::string_view page_html{{page_bytes, sizeof page_bytes}};
}}  // namespace mcr""")
