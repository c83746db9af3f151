/* bench_machine.c: see bench_machine_priv.h. */
#include "bench_machine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <imaging/imaging.h>
#include <pool/pool.h>

#include "escape_priv.h"
#include "version_priv.h"

#define PROC_FILE_BYTES 8192 /* what is looked for comes early */

/* The beginning of a small file of /proc, terminated. Returns false when it cannot be read. */
static bool read_proc(const char *path, char bytes[PROC_FILE_BYTES])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd >= 0 ? read(fd, bytes, PROC_FILE_BYTES - 1) : -1;
    if (fd >= 0)
        close(fd);
    bytes[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The value of a line "name : value". */
static void find_value(struct text *text, const char *bytes, const char *name)
{
    const char *at = strstr(bytes, name);
    const char *colon = at ? strchr(at, ':') : NULL;
    if (!colon)
        return;
    colon += 1 + strspn(colon + 1, " \t");
    escape_name(text, colon, strcspn(colon, "\n"));
}

static void look_at_cpu(struct text *text)
{
    char bytes[PROC_FILE_BYTES];
    if (read_proc("/proc/cpuinfo", bytes))
        find_value(text, bytes, "model name");
    if (text->length == 0)
        text_puts(text, "unknown processor");
}

/* As a shell would take it. */
static void add_word(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_=+,./:@%";
    struct text shown = TEXT_INIT;
    escape_name(&shown, word, strlen(word));
    const char *at = text_string(&shown);
    if (at[0] && strspn(at, plain) == strlen(at)) {
        text_puts(text, at);
    } else {
        text_puts(text, "'");
        for (; *at; at++)
            text_puts(text, *at == '\'' ? "'\\''" : (char[]){*at, '\0'});
        text_puts(text, "'");
    }
    text->failed |= text_failed(&shown);
    text_done(&shown);
}

static void look_at_command(const struct options *options, struct text *text)
{
    text_puts(text, "thumbpool");
    for (char *const *word = options->words && options->words[0] ? options->words + 1 : NULL;
         word && *word; word++) {
        text_puts(text, " ");
        add_word(text, *word);
    }
}

static void look_at_job(const struct options *options, struct text *text)
{
    static const char *const fits[] = {"inside", "cover", "pad"};
    text_printf(text, "%ux%u, %s, %s, quality %d%s", options->box_width_px, options->box_height_px,
                fits[options->fit],
                options->format == IMG_FORMAT_UNKNOWN ? "auto" : img_format_name(options->format),
                options->quality, options->fast ? ", fast" : "");
}

int bench_machine_look_at_libraries(struct bench_machine *machine)
{
    version_describe(&machine->libraries);
    return text_failed(&machine->libraries) ? -ENOMEM : 0;
}

int bench_machine_look(const struct options *options, struct bench_machine *ret_machine)
{
    struct bench_machine machine = {.cpus = pool_cpu_count()};
    struct utsname system;
    struct sysinfo info;
    struct tm broken;
    const time_t now = time(NULL);
    if (sysinfo(&info) == 0)
        machine.memory_bytes = (uint64_t)info.totalram * info.mem_unit;
    if (uname(&system) == 0)
        text_printf(&machine.system, "%s %s %s", system.sysname, system.release, system.machine);
    if (gmtime_r(&now, &broken))
        strftime(machine.date, sizeof(machine.date), "%Y-%m-%dT%H:%M:%SZ", &broken);
    look_at_cpu(&machine.cpu);
    look_at_command(options, &machine.command);
    look_at_job(options, &machine.job);
    if (text_failed(&machine.system) || text_failed(&machine.cpu) ||
        text_failed(&machine.command) || text_failed(&machine.job)) {
        bench_machine_done(&machine);
        return -ENOMEM;
    }
    *ret_machine = machine;
    return 0;
}

void bench_machine_done(struct bench_machine *machine)
{
    text_done(&machine->cpu);
    text_done(&machine->system);
    text_done(&machine->libraries);
    text_done(&machine->command);
    text_done(&machine->job);
}

/* ---- Of this process ------------------------------------------------------------------------ */

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

double bench_cpu_s(void)
{
    struct rusage self, children;
    if (getrusage(RUSAGE_SELF, &self) < 0 || getrusage(RUSAGE_CHILDREN, &children) < 0)
        return 0;
    return seconds_of(&self.ru_utime) + seconds_of(&self.ru_stime) +
           seconds_of(&children.ru_utime) + seconds_of(&children.ru_stime);
}

int64_t bench_peak_bytes(void)
{
    char bytes[PROC_FILE_BYTES];
    struct text value = TEXT_INIT;
    int64_t peak_bytes = -1;
    if (read_proc("/proc/self/status", bytes))
        find_value(&value, bytes, "VmHWM");
    if (value.length > 0)
        peak_bytes = (int64_t)strtoll(value.data, NULL, 10) * 1024;
    text_done(&value);
    return peak_bytes;
}
