# Completion of mcr for bash. Commands and options come from its --help, the names of rules from the
# running relay.
# shellcheck shell=bash disable=SC2207,SC2154

_mcr_options() {
  mcr "$@" --help 2>/dev/null | sed -n 's/^  \(-[a-z],\)\{0,1\}\(--[a-z-]\{1,\}\).*/\2/p'
}

# Commands, or with `rule` its verbs.
_mcr_commands() {
  mcr "$@" --help 2>/dev/null | sed -n '/^Subcommands:/,$s/^  \([a-z]\{1,\}\) .*/\1/p'
}

_mcr_rules() {
  mcr status --json "$@" 2>/dev/null |
    sed -n '/^  "rules": \[/,/^  \]/s/^      "name": "\(.*\)",\{0,1\}$/\1/p'
}

_mcr() {
  local cur prev words cword i socket=() IFS=$'\n'
  _get_comp_words_by_ref -n : cur prev words cword # names of rules may have colons
  COMPREPLY=()
  if ((cword == 1)); then
    COMPREPLY=($(compgen -W "$(_mcr_commands)"$'\n--help\n--version' -- "$cur"))
    return
  fi
  if ((cword == 2)) && [[ ${words[1]} == rule ]]; then
    COMPREPLY=($(compgen -W "$(_mcr_commands rule)"$'\n--help' -- "$cur"))
    return
  fi
  case $prev in
    -c | -w | --config | --socket | --exec) compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --interface) COMPREPLY=($(compgen -W "$(command ls /sys/class/net)" -- "$cur")); return ;;
    --gso) COMPREPLY=($(compgen -W $'on\noff' -- "$cur")); return ;;
    --inspect) COMPREPLY=($(compgen -W $'auto\nrtp\nts\nmoldudp64' -- "$cur")); return ;;
    --state)
      COMPREPLY=($(compgen -W $'active\nwaiting\nfailed\nsilent\ndegraded\nlooping\ndisabled' -- "$cur"))
      return
      ;;
    --rate) COMPREPLY=($(compgen -W max -- "$cur")); return ;;
  esac
  if [[ $cur == -* ]]; then
    local command=("${words[1]}")
    [[ ${words[1]} == rule ]] && command+=("${words[2]}")
    COMPREPLY=($(compgen -W "$(_mcr_options "${command[@]}")" -- "$cur"))
  elif [[ ${words[1]} == apply || ${words[1]} == import ]]; then
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$cur"))
  elif [[ ${words[1]} =~ ^(status|inspect|capture|rule|switch)$ ]]; then
    for ((i = 2; i < cword; ++i)); do
      [[ ${words[i]} == --socket ]] && socket=(--socket "${words[i + 1]}")
    done
    # Not compgen -W: it would expand what stands in a name.
    local rule
    while read -r rule; do
      [[ $rule == "$cur"* ]] && COMPREPLY+=("$(printf %q "$rule")")
    done < <(_mcr_rules "${socket[@]}")
    __ltrim_colon_completions "$cur"
  fi
}

complete -F _mcr mcr
