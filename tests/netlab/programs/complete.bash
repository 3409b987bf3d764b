#!/bin/bash
# Prints what bash offers for the last word of a command line: complete.bash LIBRARY COMPLETION WORD...
# shellcheck disable=SC1090,SC2034
library=$1 completion=$2
shift 2
COMP_WORDS=("$@")
set --
source "$library"
source "$completion"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
COMP_LINE="${COMP_WORDS[*]}"
COMP_LINE=${COMP_LINE// :/:}
COMP_POINT=${#COMP_LINE}
_mcr
printf '%s\n' "${COMPREPLY[@]}"
