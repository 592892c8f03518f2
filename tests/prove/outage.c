/* While a file is there, every call that names a path under a folder fails as on a network file
 * system whose server is gone: ESTALE. For LD_PRELOAD; OUTAGE_FOLDER and OUTAGE_FLAG name the two.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int gone(const char *path) {
  const char *folder = getenv("OUTAGE_FOLDER"), *flag = getenv("OUTAGE_FLAG");
  size_t length = folder ? strlen(folder) : 0;
  if (!path || !folder || !flag || strncmp(path, folder, length)) return 0;
  if (path[length] && path[length] != '/') return 0;
  int known = errno;
  int there = syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) == 0;
  errno = there ? ESTALE : known;
  return there;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ONE(type, fail, name, parameters, path, arguments) \
  type name parameters { return gone(path) ? (fail) : REAL(name) arguments; }
#define MODE(flags)                       \
  mode_t mode = 0;                        \
  if ((flags) & (O_CREAT | O_TMPFILE)) {  \
    va_list rest;                         \
    va_start(rest, flags);                \
    mode = va_arg(rest, mode_t);          \
    va_end(rest);                         \
  }

int open(const char *p, int flags, ...) { MODE(flags) return gone(p) ? -1 : REAL(open)(p, flags, mode); }
int open64(const char *p, int flags, ...) { MODE(flags) return gone(p) ? -1 : REAL(open64)(p, flags, mode); }
int openat(int d, const char *p, int flags, ...) { MODE(flags) return gone(p) ? -1 : REAL(openat)(d, p, flags, mode); }
int openat64(int d, const char *p, int flags, ...) { MODE(flags) return gone(p) ? -1 : REAL(openat64)(d, p, flags, mode); }
ONE(FILE *, NULL, fopen, (const char *p, const char *m), p, (p, m))
ONE(FILE *, NULL, fopen64, (const char *p, const char *m), p, (p, m))
ONE(DIR *, NULL, opendir, (const char *p), p, (p))
ONE(int, -1, stat, (const char *p, struct stat *s), p, (p, s))
ONE(int, -1, stat64, (const char *p, struct stat64 *s), p, (p, s))
ONE(int, -1, lstat, (const char *p, struct stat *s), p, (p, s))
ONE(int, -1, lstat64, (const char *p, struct stat64 *s), p, (p, s))
ONE(int, -1, fstatat, (int d, const char *p, struct stat *s, int f), p, (d, p, s, f))
ONE(int, -1, fstatat64, (int d, const char *p, struct stat64 *s, int f), p, (d, p, s, f))
ONE(int, -1, statx, (int d, const char *p, int f, unsigned m, struct statx *s), p, (d, p, f, m, s))
ONE(int, -1, access, (const char *p, int m), p, (p, m))
ONE(int, -1, mkdir, (const char *p, mode_t m), p, (p, m))
ONE(int, -1, mkdirat, (int d, const char *p, mode_t m), p, (d, p, m))
ONE(int, -1, unlink, (const char *p), p, (p))
ONE(int, -1, rmdir, (const char *p), p, (p))
ONE(int, -1, rename, (const char *p, const char *q), p, (p, q))
ONE(int, -1, utimensat, (int d, const char *p, const struct timespec t[2], int f), p, (d, p, t, f))
