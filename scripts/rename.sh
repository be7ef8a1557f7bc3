#!/bin/sh
# Keeps what a project changed in a file that a release renames, which Copier would lose. In copier.yml:
#
#     _migrations:
#       - version: v1.3.0
#         command: [sh, "{{ _copier_conf.src_path }}/scripts/rename.sh", app/old.py, app/new.py]
#
# It runs in the project, when the old file is gone and the new one is there as the template has it.
set -eu
old=$1
new=$2
template=$(dirname "$0")/..
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

[ -f "$new" ] || exit 0
if ! git show "HEAD:./$old" > "$folder/ours" 2> "$folder/error"; then
  rm "$new" # the project did without the old one
  exit 0
fi
git -C "$template" show "$VERSION_FROM:template/$old" > "$folder/base"
cp "$new" "$folder/theirs"
stages=$(for stage in 1:base 2:ours 3:theirs; do
  printf '100644 %s %s\t%s\n' "$(git hash-object -w "$folder/${stage#*:}")" "${stage%:*}" "$(git rev-parse --show-prefix)$new"
done)
if ! git merge-file -L "before updating" -L "last update" -L "after updating" \
  "$folder/ours" "$folder/base" "$folder/theirs"; then
  echo "$stages" | git update-index --index-info # for git, a conflict like any other
fi
cat "$folder/ours" > "$new"
