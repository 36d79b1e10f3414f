/* A FastCGI responder on libfcgi, for the tests.
 * usage: fcgi-responder ADDRESS THREADS     ADDRESS: ":port" or the path of a unix socket
 * build: cc -O2 -o fcgi-responder fcgi-responder.c -lfcgi -lpthread
 *
 * A plain reply says: fd FD connections N served N body N
 *   fd           descriptor of the connection the request came over
 *   connections  how many connections were accepted so far by all threads
 *   served       how many requests were answered so far by all threads
 *   body         how many bytes of request body were read
 * The query string asks for more, as words joined by "&":
 *   size=N    N bytes of body instead         status=N  a Status header
 *   stderr=N  N bytes on the error stream     sleep=N   N milliseconds before the reply
 *   early     reply without reading the body  exit      end the process in the middle of the reply
 *   nolength  no Content-Length header        env=NAME  the value of a parameter as the body
 */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int listener;
static atomic_long connections;
static atomic_long served;

static const char *word(const char *query, const char *name)
{
    size_t len = strlen(name);
    const char *at = query;
    while (at != NULL && *at != '\0') {
        if (strncmp(at, name, len) == 0 && (at[len] == '=' || at[len] == '&' || at[len] == '\0'))
            return at[len] == '=' ? at + len + 1 : at + len;
        at = strchr(at, '&');
        if (at != NULL)
            at++;
    }
    return NULL;
}

static long number(const char *query, const char *name)
{
    const char *value = word(query, name);
    return value == NULL ? 0 : strtol(value, NULL, 10);
}

static void fill(FCGX_Stream *out, long size)
{
    char block[4096];
    memset(block, 'x', sizeof block);
    while (size > 0) {
        int part = size < (long) sizeof block ? (int) size : (int) sizeof block;
        if (FCGX_PutStr(block, part, out) != part)
            return;
        size -= part;
    }
}

static void handle(FCGX_Request *request)
{
    const char *query = FCGX_GetParam("QUERY_STRING", request->envp);
    char buffer[65536];
    long body = 0, size;
    int n;

    if (query == NULL)
        query = "";
    if (word(query, "early") == NULL)
        while ((n = FCGX_GetStr(buffer, sizeof buffer, request->in)) > 0)
            body += n;
    usleep((useconds_t) number(query, "sleep") * 1000);
    fill(request->err, number(query, "stderr"));

    size = number(query, "size");
    FCGX_FPrintF(request->out, "Content-Type: text/plain\r\n");
    if (number(query, "status") != 0)
        FCGX_FPrintF(request->out, "Status: %d told\r\n", (int) number(query, "status"));

    if (word(query, "env") != NULL) {
        char name[256];
        snprintf(name, sizeof name, "%s", word(query, "env"));
        name[strcspn(name, "&")] = '\0';
        const char *value = FCGX_GetParam(name, request->envp);
        n = snprintf(buffer, sizeof buffer, "%s", value == NULL ? "(none)" : value);
    } else {
        n = snprintf(buffer, sizeof buffer, "fd %d connections %ld served %ld body %ld\n", request->ipcFd,
                     atomic_load(&connections), atomic_fetch_add(&served, 1) + 1, body);
    }
    if (word(query, "nolength") == NULL)
        FCGX_FPrintF(request->out, "Content-Length: %d\r\n", (int) (size > 0 ? size : n));
    FCGX_FPrintF(request->out, "\r\n");
    if (word(query, "exit") != NULL) {
        FCGX_PutStr(buffer, n / 2, request->out);
        FCGX_FFlush(request->out);
        _exit(1);
    }
    if (size > 0)
        fill(request->out, size);
    else
        FCGX_PutStr(buffer, n, request->out);
}

/* Tells connections apart: a descriptor's number is used again at once, its inode is not. */
static ino_t identity(int fd)
{
    struct stat about;
    return fd < 0 || fstat(fd, &about) != 0 ? 0 : about.st_ino;
}

static void *serve(void *unused)
{
    FCGX_Request request;
    ino_t last = 0;
    (void) unused;
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        ino_t now = identity(request.ipcFd);
        if (now != last)
            atomic_fetch_add(&connections, 1);
        last = now;
        handle(&request);
        FCGX_Finish_r(&request);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 4;
    FCGX_Init();
    listener = FCGX_OpenSocket(argc > 1 ? argv[1] : ":9100", 1024);
    if (listener < 0)
        return 1;
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, NULL);
    }
    serve(NULL);
    return 0;
}
