#!/usr/bin/env sh
# Download the files of the broker (46 MB) with Maven, once: into $NETOPS_KAFKA, by default ~/.cache/netops/kafka-3.9.2.
set -eu
folder="${NETOPS_KAFKA:-$HOME/.cache/netops/kafka-3.9.2}"
[ -f "$folder/.complete" ] && exit 0
mkdir -p "$folder"
mvn -q -B -f "$(dirname "$0")/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  -DincludeScope=runtime -DoutputDirectory="$folder"
touch "$folder/.complete"
