# The image of a release: the released program, with the git that `check --since` asks and a shell for CI systems.
# The release workflow puts the programs into programs/<platform>/.
FROM alpine:3.22@sha256:14358309a308569c32bdc37e2e0e9694be33a9d99e68afb0f5ff33cc1f695dce
RUN apk add --no-cache git ca-certificates && git config --system --add safe.directory '*'
ARG TARGETARCH
COPY programs/${TARGETARCH}/pullthru /usr/local/bin/pullthru
USER 65532:65532
WORKDIR /work
CMD ["pullthru", "--help"]
