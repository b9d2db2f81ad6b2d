# Downloads packages of another suite of the mirror that this machine uses, and unpacks them in `root`.
# Arguments: suite, packages. Everything stays below the current folder.
suite=$1
shift
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  awk '$1 == "URIs:" { print $2 } $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; break } }' |
  sed -n 's,/*$,,; /\/debian$/p' | head -n 1)
mkdir -p lists/partial cache/archives/partial root
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >sources.list
set -- -o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null \
  -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" -- "$@"
options=
while [ "$1" != -- ]; do
  options="$options $1"
  shift
done
shift
# No value has a space.
# shellcheck disable=SC2086
apt-get $options update -q
# shellcheck disable=SC2086
apt-get $options download -q "$@"
for package in ./*.deb; do dpkg-deb -x "$package" root; done
