/* time_server FOLDER COUNT: a time-stamp service of RFC 3161 over HTTP on 127.0.0.1, for COUNT requests. The
 * stamps come from `openssl ts -reply` with FOLDER/tsa.cnf. Prints its port. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_MESSAGE = 1 << 16 };

/* Reads a request up to the end of its body; returns where the body begins, 0 for none. */
static size_t read_request(int fd, char *text, size_t *size)
{
    for (*size = 0; *size < MAX_MESSAGE;) {
        ssize_t n = read(fd, text + *size, MAX_MESSAGE - *size);
        if (n <= 0)
            return 0;
        *size += (size_t)n;
        text[*size] = 0;
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end != NULL && length != NULL &&
            *size >= (size_t)(end + 4 - text) + strtoul(length + 15, NULL, 10))
            return (size_t)(end + 4 - text);
    }
    return 0;
}

static void answer(int fd, const char *folder)
{
    static char text[MAX_MESSAGE + 1];
    char command[4096], head[256];
    size_t size, body = read_request(fd, text, &size);
    if (body == 0)
        return;
    snprintf(
        command, sizeof command,
        "cd '%s' && cat >query.tsq && openssl ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr "
        "2>/dev/null",
        folder);
    FILE *pipe = popen(command, "w");
    if (pipe == NULL || fwrite(text + body, 1, size - body, pipe) != size - body || pclose(pipe) != 0)
        return;
    snprintf(command, sizeof command, "%s/reply.tsr", folder);
    FILE *reply = fopen(command, "rb");
    if (reply == NULL)
        return;
    size = fread(text, 1, MAX_MESSAGE, reply);
    fclose(reply);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     size);
    if (write(fd, head, (size_t)n) != n || write(fd, text, size) != (ssize_t)size)
        return;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (argc != 3 || fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = atoi(argv[2]); i > 0; i--) {
        int connection = accept(fd, NULL, NULL);
        if (connection < 0)
            return 1;
        answer(connection, argv[1]);
        close(connection);
    }
    return 0;
}
