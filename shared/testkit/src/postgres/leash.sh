# Holds one server on a leash: it lives no longer than the process that asked for it.
#
# That process holds the other end of our standard input, and the kernel closes it however that
# process ends. Our standard output goes to the server alone, so that it reads as ended there
# once the last process of the server is gone.
#
# at_end     signal to the server at the end of the input
# remove     directory to remove then, or empty
# sockets    directory of nothing but sockets to remove then, or empty
# template   directory to copy to $data when there is none yet, or empty
# data, log  the server's directory and its log
# "$@"       the server's command
set -u
umask 077
# Who would read the server's id may be gone by then; that is no reason to die before cleaning up.
trap '' PIPE
[ -z "$remove" ] || [ -d "$remove" ] || mkdir "$remove" || exit 1
exec 2>>"$log"
if [ -n "$template" ] && [ ! -d "$data" ]; then
    cp -R "$template" "$data" || { rm -rf "$remove"; exit 1; }
fi
"$@" 2>>"$log" &
server=$!
echo "$server"
exec >&-
while read -r order; do
    case $order in
        keep) remove='' sockets='' server='' ;;
        *) kill -s "$order" "$server" ;;
    esac
done
if [ -n "$server" ]; then
    # A shell starts background programs deaf to INT and QUIT; until the server has handlers of its
    # own, only TERM ends it. With them, TERM asks politely and the second signal means it.
    kill -s TERM "$server"
    kill -s "$at_end" "$server"
    wait "$server"
fi
[ -z "$sockets" ] || rmdir "$sockets"
[ -z "$remove" ] || rm -rf "$remove"
