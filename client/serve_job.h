#ifndef KIN_CLIENT_SERVE_JOB_H
#define KIN_CLIENT_SERVE_JOB_H
/* The job that `kindred serve` runs first, unless its workflow is served already. */
#include "coordinator/gateway/direct.h"

struct kin_serve_job {
    const struct gateway_backend *backend;
    struct kin_str text; /* of the workflow file */
    const char *name;    /* of the workflow */
    const char *base_dir, *out_dir;
    bool again; /* also where it is served already */
};

/* Waits until the workflow is served. Blocks; any thread. KIN_E_CANCELLED: the process stops. */
kin_status kin_serve_job_run(const struct kin_serve_job *job, struct kin_err *err) KIN_MUST_CHECK;

#endif
