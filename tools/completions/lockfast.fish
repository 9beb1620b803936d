# fish completion for lockfast. The command itself knows which words may come next.
function __lockfast_candidates
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete -- $words[2..-1] 2>/dev/null
end
function __lockfast_program
    __fish_complete_subcommand --fcs-skip=(contains -i -- -- (commandline -opc))
end
complete -c lockfast -n 'not contains -- -- (commandline -opc)' -a '(__lockfast_candidates)'
complete -c lockfast -n 'contains -- -- (commandline -opc)' -a '(__lockfast_program)'
complete -c lockfast -n __fish_use_subcommand -f
