#include "common/cli/job_file.h"

#include "common/cli/tool.h"
#include "common/workflow/problems.h"

#include <stdio.h>
#include <string.h>

enum { WORKFLOW_BYTES_MAX = 1024 * 1024 };

static bool hex_digit(char c, uint8_t *out)
{
    if (c >= '0' && c <= '9')
        *out = (uint8_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *out = (uint8_t)(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
        *out = (uint8_t)(c - 'A' + 10);
    else
        return false;
    return true;
}

int kin_match_id_key_load(const char *tool, const char *path, uint8_t key[16])
{
    struct kin_buf text = {0};
    struct kin_err err;
    if (kin_cli_read_file(path, 4096, &text, &err) != KIN_OK) {
        fprintf(stderr, "%s: %s\n", tool, err.msg);
        kin_buf_deinit(&text);
        return KIN_EXIT_USAGE;
    }
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    bool ok = text.n == 32;
    for (size_t i = 0; ok && i < 16; i++) {
        uint8_t high, low;
        ok = hex_digit((char)text.p[2 * i], &high) && hex_digit((char)text.p[2 * i + 1], &low);
        if (ok)
            key[i] = (uint8_t)(high << 4 | low);
    }
    kin_buf_deinit(&text);
    if (!ok)
        fprintf(stderr, "%s: %s: expected 32 hex digits\n", tool, path);
    return ok ? -1 : KIN_EXIT_USAGE;
}

static int report_problems(const struct kin_job_file *f, const char *path,
                           const struct kin_problems *problems)
{
    struct kin_buf text = {0};
    kin_problems_print(problems, path, (struct kin_str){(const char *)f->text.p, f->text.n}, &text);
    fwrite(text.p ? text.p : (const uint8_t *)"", 1, text.n, stderr);
    fprintf(stderr, "%s: %zu problem%s\n", path, problems->count, problems->count == 1 ? "" : "s");
    kin_buf_deinit(&text);
    return KIN_EXIT_USAGE;
}

int kin_job_file_load(struct kin_job_file *f, const char *tool, const char *path)
{
    struct kin_err err;
    struct kin_problems problems = {0};
    if (kin_cli_read_file(path, WORKFLOW_BYTES_MAX, &f->text, &err) != KIN_OK) {
        fprintf(stderr, "%s: %s\n", tool, err.msg);
        return KIN_EXIT_USAGE;
    }
    const char *slash = strrchr(path, '/');
    f->base_dir = kin_strndup(path, slash ? (size_t)(slash - path) : 0);
    if (!f->base_dir)
        return KIN_EXIT_FAILED;
    struct kin_str text = {(const char *)f->text.p, f->text.n};
    kin_status status = kin_workflow_parse(text, f->base_dir, &f->workflow, &problems);
    int code = -1;
    if (status != KIN_OK)
        code = problems.count ? report_problems(f, path, &problems) : KIN_EXIT_FAILED;
    kin_problems_deinit(&problems);
    return code;
}

void kin_job_file_deinit(struct kin_job_file *f)
{
    kin_workflow_free(f->workflow);
    kin_buf_deinit(&f->text);
    kin_free(f->base_dir);
    *f = (struct kin_job_file){0};
}
