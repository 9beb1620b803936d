# bash completion for lockfast. The command itself knows which words may come next.
_lockfast() {
  local at cut=$COMP_CWORD current=${COMP_WORDS[COMP_CWORD]}
  for ((at = 1; at < COMP_CWORD; ++at)); do
    if [[ ${COMP_WORDS[at]} == -- ]]; then
      # After "--" stands a program: its own completion.
      if declare -F _command_offset >/dev/null; then _command_offset $((at + 1)); else mapfile -t COMPREPLY < <(compgen -c -- "$current"); fi
      return
    fi
  done
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:cut}" 2>/dev/null | cut -f1)
}
complete -o default -F _lockfast lockfast
