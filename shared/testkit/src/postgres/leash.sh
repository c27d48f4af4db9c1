# Holds one server on a leash: it lives no longer than the process that asked for it.
#
# That process holds the other end of our standard input, and the kernel closes it however that
# process ends. Our standard output goes to the server alone, so that it reads as ended there
# once the last process of the server is gone.
#
# at_end     signal to the server at the end of the input
# remove     directory to remove then, or empty
# template   directory to copy to $data when there is none yet, or empty
# data, log  the server's directory and its log
# "$@"       the server's command
set -u
umask 077
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
        keep) remove='' server='' ;;
        *) kill -s "$order" "$server" ;;
    esac
done
if [ -n "$server" ]; then
    kill -s "$at_end" "$server"
    wait "$server"
fi
[ -z "$remove" ] || rm -rf "$remove"
