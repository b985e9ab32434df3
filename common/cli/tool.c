#include "common/cli/tool.h"

#include "common/record/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

kin_status kin_cli_read_file(const char *path, size_t max, struct kin_buf *out, struct kin_err *err)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return kin_err_set(err, KIN_E_IO, "%s: %s", path, strerror(errno));
    kin_status status = KIN_OK;
    for (size_t got = 1; got && status == KIN_OK;) {
        uint8_t *to = kin_buf_reserve(out, (size_t)(size_t)64 * 1024);
        if (!to) {
            status = kin_err_set(err, KIN_E_NOMEM, "%s: out of memory", path);
            break;
        }
        got = fread(to, 1, (size_t)(size_t)64 * 1024, f);
        out->n += got;
        if (out->n > max)
            status = kin_err_set(err, KIN_E_LIMIT, "%s: larger than %zu bytes", path, max);
    }
    if (status == KIN_OK && ferror(f))
        status = kin_err_set(err, KIN_E_IO, "%s: %s", path, strerror(errno));
    fclose(f);
    return status;
}

static void begin_line(struct kin_buf *line, char level)
{
    struct timespec now;
    struct tm tm;
    char stamp[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
    kin_buf_printf(line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%c\",", stamp, now.tv_nsec / 1000000,
                   level);
}

static void end_line(struct kin_buf *line, const char *event, const char *text)
{
    kin_buf_puts(line, ",\"event\":");
    kin_json_string(line, kin_str_of(event));
    kin_buf_puts(line, ",\"text\":");
    kin_json_string(line, kin_str_of(text));
    kin_buf_puts(line, "}\n");
    fwrite(line->p ? line->p : (const uint8_t *)"", 1, line->n, stderr);
    kin_buf_deinit(line);
}

void kin_cli_log(bool json, kin_node_id node, char level, const char *event, const char *text)
{
    if (!json) {
        if (level == 'W' ||
            (level == 'E' && strcmp(event, "job_failed") != 0)) /* told at the end */
            fprintf(stderr, "kindred: %s %s\n", event, text);
        return;
    }
    struct kin_buf line = {0};
    begin_line(&line, level);
    kin_buf_printf(&line, "\"node\":%u", node);
    end_line(&line, event, text);
}

void kin_cli_log_as(const char *name, char level, const char *event, const char *text)
{
    struct kin_buf line = {0};
    begin_line(&line, level);
    kin_buf_puts(&line, "\"name\":");
    kin_json_string(&line, kin_str_of(name));
    end_line(&line, event, text);
}
