# For a folder of pages that has no Dockerfile of its own.
FROM caddy:2.11.7
# Owned by the server's user, so that it can read these whatever the umask of the machine that built the image.
COPY --chown=65532:65532 . /srv
# Nothing needs to be kept. Caddy notes here when it has last tidied up, and goes on if it can't.
ENV XDG_CONFIG_HOME=/tmp XDG_DATA_HOME=/tmp
USER 65532:65532
EXPOSE 8080
CMD ["/usr/bin/caddy", "file-server", "--root", "/srv", "--listen", ":8080", "--access-log"]
