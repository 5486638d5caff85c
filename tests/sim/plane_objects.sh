#!/bin/sh
# The simulator runs what the daemons run. Decides: of every object in the daemons' archives, each
# public function is in the simulator, of the same size; only the files (snapshot.c, disk_file.c)
# have others in their places. Never builds anything.
#
#     plane_objects.sh ARCHIVE... PROGRAM
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for last in "$@"; do :; done
# "name size", of public functions.
functions() {
    nm -S --defined-only "$1" 2>/dev/null | awk '$3 == "T" { print $4, $2 }' | sort -u
}
functions "$last" > "$work/program"
objects=0
bad=0
while [ "$#" -gt 1 ]; do
    archive=$1
    shift
    for object in $(ar t "$archive"); do
        case $object in
        *snapshot.c.o) case $object in *journal_snapshot.c.o) ;; *) continue ;; esac ;;
        *disk_file.c.o) continue ;;
        esac
        path=$object
        [ -e "$path" ] || path=$(dirname "$archive")/$object
        functions "$path" > "$work/object"
        objects=$((objects + 1))
        missing=$(comm -23 "$work/object" "$work/program" | head -n 3)
        if [ ! -s "$work/object" ] || [ -n "$missing" ]; then
            echo "not as in the daemons: $object: $missing"
            bad=$((bad + 1))
        fi
    done
done
echo "$objects objects, $bad differ"
[ "$objects" -gt 40 ] && [ "$bad" -eq 0 ]
