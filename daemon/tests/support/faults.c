/* Makes the calls of dfr-daemon that create, change or sync files fail, or kills it at one of them.
 *
 * Preloaded (LD_PRELOAD); it acts in a process whose program is called dfr-daemon and nowhere else,
 * and counts calls on paths below FAULT_UNDER (directories separated by `:`), from 1, over all threads.
 *
 *   FAULT=count          changes nothing
 *   FAULT=kill:N         the process is killed instead of call N
 *   FAULT=kill-after:N   the process is killed after call N
 *   FAULT=enospc:N       from call N on, calls that need space find none until FAULT_UNTIL exists
 *   FAULT=eio:N          call N fails, once
 *   FAULT_WHILE=FILE     the disk is only full while this is there
 *   FAULT_LOG=FILE       gets a line `N CALL PATH` before each call
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF, COUNT, KILL, KILL_AFTER, ENOSPC_FROM, EIO_ONCE };
/* Whether a call takes new space on a disk. */
enum space { TAKES_SPACE, TAKES_NONE };

static enum mode mode = OFF;
static long chosen;
static atomic_long calls;
static pid_t self;
static const char *under, *until, *only_while;
static int log_fd = -1;

/* The next definition of a function: the C library's own. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_the_daemon(void) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) return 0;
    program[length] = 0;
    const char *name = strrchr(program, '/');
    return name && strcmp(name, "/dfr-daemon") == 0;
}

__attribute__((constructor)) static void begin(void) {
    static const struct { const char *word; enum mode mode; } modes[] = {
        {"count", COUNT}, {"kill", KILL}, {"kill-after", KILL_AFTER},
        {"enospc", ENOSPC_FROM}, {"eio", EIO_ONCE},
    };
    const char *fault = getenv("FAULT"), *log = getenv("FAULT_LOG");
    under = getenv("FAULT_UNDER");
    until = getenv("FAULT_UNTIL");
    only_while = getenv("FAULT_WHILE");
    if (!fault || !under || !is_the_daemon()) return;
    const char *number = strchr(fault, ':');
    size_t length = number ? (size_t)(number - fault) : strlen(fault);
    chosen = number ? atol(number + 1) : 0;
    self = getpid();
    if (log) log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strlen(modes[i].word) == length && strncmp(modes[i].word, fault, length) == 0) mode = modes[i].mode;
}

static int is_under(const char *path) {
    for (const char *from = under; *from;) {
        size_t length = strcspn(from, ":");
        if (strncmp(path, from, length) == 0 && (path[length] == '/' || path[length] == 0)) return 1;
        from += length + (from[length] == ':');
    }
    return 0;
}

/* What stands behind a link of /proc, or nothing. */
static void follow(const char *link, char *path) {
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", fd);
    follow(link, path);
}

/* The call's number, or 0 when it is none of ours. Kills before call N if that is asked for. */
static long point(const char *call, const char *path) {
    if (mode == OFF || getpid() != self || !is_under(path)) return 0;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
        syscall(SYS_write, log_fd, line, length < (int)sizeof line ? length : (int)sizeof line - 1);
    }
    if (mode == KILL && number == chosen) kill(self, SIGKILL);
    return number;
}

static long point_fd(const char *call, int fd) {
    char path[PATH_MAX];
    if (mode == OFF) return 0;
    path_of(fd, path);
    return point(call, path);
}

static long point_at(const char *call, int directory, const char *name) {
    char path[PATH_MAX];
    if (mode == OFF || *name == '/') return mode == OFF ? 0 : point(call, name);
    path_of(directory, path);
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/%s", name);
    return point(call, path);
}

/* Whether call `number` fails; errno says why. */
static int fails(long number, enum space space) {
    if (mode == EIO_ONCE && number && number == chosen) return errno = EIO, 1;
    if (mode != ENOSPC_FROM || !number || number < chosen || space == TAKES_NONE) return 0;
    if (until && faccessat(AT_FDCWD, until, F_OK, 0) == 0) return 0;
    if (only_while && faccessat(AT_FDCWD, only_while, F_OK, 0) != 0) return 0;
    return errno = ENOSPC, 1;
}

static void done(long number) {
    if (mode == KILL_AFTER && number && number == chosen) kill(self, SIGKILL);
}

#define ACT(number, space, type, call)              \
    do {                                            \
        long n_ = (number);                         \
        if (fails(n_, space)) return (type) - 1;    \
        type result_ = (call);                      \
        int saved_ = errno;                         \
        done(n_);                                   \
        errno = saved_;                             \
        return result_;                             \
    } while (0)

static mode_t mode_of(int flags, va_list more) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
}

/* Only an open that may make the file counts; it takes space when the file is not there. */
#define OPENS(name)                                                                          \
    int name(const char *path, int flags, ...) {                                             \
        va_list more;                                                                        \
        va_start(more, flags);                                                               \
        mode_t permissions = mode_of(flags, more);                                           \
        va_end(more);                                                                        \
        if (!(flags & O_CREAT)) return REAL(name)(path, flags, permissions);                 \
        enum space space = faccessat(AT_FDCWD, path, F_OK, 0) ? TAKES_SPACE : TAKES_NONE;    \
        ACT(point_at("open", AT_FDCWD, path), space, int, REAL(name)(path, flags, permissions)); \
    }
OPENS(open)
OPENS(open64)

ssize_t write(int fd, const void *from, size_t size) {
    ACT(point_fd("write", fd), TAKES_SPACE, ssize_t, REAL(write)(fd, from, size));
}
ssize_t writev(int fd, const struct iovec *from, int count) {
    ACT(point_fd("writev", fd), TAKES_SPACE, ssize_t, REAL(writev)(fd, from, count));
}
ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    ACT(point_fd("pwrite", fd), TAKES_SPACE, ssize_t, REAL(pwrite)(fd, from, size, at));
}
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    ACT(point_fd("pwrite", fd), TAKES_SPACE, ssize_t, REAL(pwrite64)(fd, from, size, at));
}
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t size, unsigned flags) {
    ACT(point_fd("copy_file_range", to), TAKES_SPACE, ssize_t,
        REAL(copy_file_range)(from, a, to, b, size, flags));
}
int fallocate(int fd, int how, off_t at, off_t size) {
    ACT(point_fd("fallocate", fd), TAKES_SPACE, int, REAL(fallocate)(fd, how, at, size));
}
int fallocate64(int fd, int how, off64_t at, off64_t size) {
    ACT(point_fd("fallocate", fd), TAKES_SPACE, int, REAL(fallocate64)(fd, how, at, size));
}
/* Gives the error instead of setting it. */
int posix_fallocate(int fd, off_t at, off_t size) {
    long number = point_fd("fallocate", fd);
    if (fails(number, TAKES_SPACE)) return errno;
    int result = REAL(posix_fallocate)(fd, at, size);
    done(number);
    return result;
}
int posix_fallocate64(int fd, off64_t at, off64_t size) {
    long number = point_fd("fallocate", fd);
    if (fails(number, TAKES_SPACE)) return errno;
    int result = REAL(posix_fallocate64)(fd, at, size);
    done(number);
    return result;
}
int fsync(int fd) { ACT(point_fd("fsync", fd), TAKES_NONE, int, REAL(fsync)(fd)); }
int fdatasync(int fd) { ACT(point_fd("fdatasync", fd), TAKES_NONE, int, REAL(fdatasync)(fd)); }
int ftruncate(int fd, off_t size) {
    ACT(point_fd("ftruncate", fd), TAKES_NONE, int, REAL(ftruncate)(fd, size));
}
int ftruncate64(int fd, off64_t size) {
    ACT(point_fd("ftruncate", fd), TAKES_NONE, int, REAL(ftruncate64)(fd, size));
}
int rename(const char *from, const char *to) {
    ACT(point_at("rename", AT_FDCWD, to), TAKES_NONE, int, REAL(rename)(from, to));
}
int renameat(int a, const char *from, int b, const char *to) {
    ACT(point_at("rename", b, to), TAKES_NONE, int, REAL(renameat)(a, from, b, to));
}
int link(const char *from, const char *to) {
    ACT(point_at("link", AT_FDCWD, to), TAKES_SPACE, int, REAL(link)(from, to));
}
int unlink(const char *path) {
    ACT(point_at("unlink", AT_FDCWD, path), TAKES_NONE, int, REAL(unlink)(path));
}
int unlinkat(int directory, const char *path, int flags) {
    ACT(point_at("unlink", directory, path), TAKES_NONE, int, REAL(unlinkat)(directory, path, flags));
}
int mkdir(const char *path, mode_t permissions) {
    enum space space = faccessat(AT_FDCWD, path, F_OK, 0) ? TAKES_SPACE : TAKES_NONE;
    ACT(point_at("mkdir", AT_FDCWD, path), space, int, REAL(mkdir)(path, permissions));
}
