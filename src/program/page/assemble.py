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


def literal(text):
    """As C++; a literal may have 65,536 characters (C++20, Annex B), so in pieces."""
    pieces = [text[i:i + 8000] for i in range(0, len(text), 8000)]
    return "\n".join(f'    R"__page({piece})__page"' for piece in pieces)


page, style, *scripts = sys.argv[1:]
script = "\n".join(read(path) for path in scripts)
whole = read(page).replace("{style}", read(style)).replace("{script}", script)
print(f"""// Made by assemble.py.
#pragma once

#include <string_view>

namespace mcr {{
inline constexpr std::string_view page_style_hash = "{hash_of(read(style))}";
inline constexpr std::string_view page_script_hash = "{hash_of(script)}";
inline constexpr std::string_view page_html =
{literal(whole)};
}}  // namespace mcr""")
