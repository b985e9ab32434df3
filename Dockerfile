# The programs kindred, kindred-coordinator and kindred-worker on a small Debian.
#   docker build -t kindred .
# BASE may be any Debian that tools/deps knows: 12, 13 or a relative. docs/containers.md says how the image is
# meant to be run; docker-compose.yml does so. There is no ENTRYPOINT: the command names the program.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tools/deps tools/
RUN tools/deps
COPY . .
# Beside the programs, the packages that hold what they are linked with, so that the image gets just those.
RUN cmake --preset release -Wno-dev -D KIN_TESTS=OFF >/dev/null \
    && cmake --build --preset release \
    && DESTDIR=/out/root cmake --install build/release --component programs --strip --prefix /usr \
    && ldd /out/root/usr/bin/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u \
        | xargs -r realpath | xargs dpkg-query -S | sed 's/:.*//' | sort -u >/out/packages \
    && cat /out/packages

FROM ${BASE}
LABEL org.opencontainers.image.title="kindred" \
      org.opencontainers.image.description="Finds the records that are about the same real thing, on one node or many" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/packages /usr/share/kindred/
# The user has a fixed number, so that files of the host can be given to it. /data is the place of volumes:
# a new one takes its owner and mode.
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive xargs -a /usr/share/kindred/packages \
        apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends >/dev/null \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
    && useradd --uid 7400 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin kindred \
    && install -d -m 0700 -o kindred -g kindred /data
COPY --from=build /out/root/ /
USER 7400:7400
WORKDIR /data
