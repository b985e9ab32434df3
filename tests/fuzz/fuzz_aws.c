/* Any requests to the AWS operations of the gateway, and any answers of the coordinator: never a
 * crash, always a JSON object with an error type where it is no success, and what a job is started
 * with is a workflow file that can be read.
 *
 * An input is a list of requests, with a line of `---` after each: a line with method, path and
 * query, then the body. The methods `lookup`, `put`, `group`, `live` and `text` set what the
 * coordinator answers from then on. */
#include "common/workflow/workflow.h"
#include "tests/unit/aws_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REQUESTS_MAX = 24 };

struct session {
    struct fake *fake;
    struct aws *aws;
    struct kin_arena arena;
};

static void check_workflow(const struct fake *f)
{
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    if (!f->workflow)
        return;
    KIN_ASSERT(kin_workflow_parse(kin_str_of(f->workflow), "", &w, &problems) == KIN_OK);
    kin_workflow_free(w);
    kin_problems_deinit(&problems);
}

static void ask(struct session *s, const char *method, const char *path, const char *query,
                struct kin_str body)
{
    struct gateway_request request = {method, path, kin_str_of(query), body, NULL};
    struct gateway_response response = {.status = 0};
    aws_handle(s->aws, &request, &response);
    KIN_ASSERT((response.status == 200) == !response.error_type);
    KIN_ASSERT(response.status == 200 || (response.status >= 400 && response.status <= 500));
    json_t *answer = json_loadb((const char *)response.body.p, response.body.n, 0, NULL);
    KIN_ASSERT(json_is_object(answer));
    KIN_ASSERT(!response.error_type || json_is_string(json_object_get(answer, "message")));
    KIN_ASSERT(
        strcmp(response.error_type ? response.error_type : "", "UnknownOperationException") == 0 ||
        aws_knows(method, path));
    json_decref(answer);
    kin_buf_deinit(&response.body);
    check_workflow(s->fake);
}

static bool is_word(const char *line, const char *word)
{
    return strcmp(line, word) == 0;
}

/* One request; p is terminated in the arena. */
static void run(struct session *s, char *p, size_t n)
{
    char *end = memchr(p, '\n', n), *body = end ? end + 1 : p + n;
    if (end)
        *end = '\0';
    struct kin_str rest = {body, (size_t)(p + n - body)};
    char *path = strchr(p, ' '), *query = path ? strchr(path, '?') : NULL;
    if (path)
        *path++ = '\0';
    if (query)
        *query++ = '\0';
    if (is_word(p, "lookup"))
        s->fake->lookup = body;
    else if (is_word(p, "put"))
        s->fake->put = body;
    else if (is_word(p, "group"))
        s->fake->group = body;
    else if (is_word(p, "live"))
        s->fake->live = body;
    else if (is_word(p, "text"))
        s->fake->job_text = body;
    else if (is_word(p, "state"))
        s->fake->job_state = (uint32_t)(*body & 7);
    else
        ask(s, p, path ? path : "", query ? query : "", rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s = {.fake = fake_new()};
    const char *p = (const char *)data, *end = p ? p + size : p;
    s.fake->job_state = KIN_JOB_DONE;
    KIN_ASSERT(aws_new(&s.fake->backend, &s.aws) == KIN_OK);
    for (unsigned i = 0; p < end && i < REQUESTS_MAX; i++) {
        const char *stop = memmem(p, (size_t)(end - p), "\n---\n", 5);
        size_t n = (size_t)((stop ? stop : end) - p);
        char *copy = kin_arena_strndup(&s.arena, p, n);
        KIN_ASSERT(copy);
        run(&s, copy, n);
        p = stop ? stop + 5 : end;
    }
    aws_free(s.aws);
    fake_free(s.fake);
    kin_arena_deinit(&s.arena);
    return 0;
}
