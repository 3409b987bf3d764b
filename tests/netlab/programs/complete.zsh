#!/usr/bin/env zsh
# Prints what zsh offers for the last word of a command line: complete.zsh COMPLETION WORD...
# Outside of its editor zsh has no completion system: these two stand for it, and print.
compadd() { [[ $1 == -a ]] && print -rl -- ${(P)2} || print -rl -- "$@" }
_describe() { print -rl -- ${(P)2} }
completion=$1
shift
words=("$@")
set --
CURRENT=${#words}
source "$completion"
