#ifndef KIN_COORDINATOR_LIVE_PREPARE_H
#define KIN_COORDINATOR_LIVE_PREPARE_H
/* Private to live_install.c and live_prepare.c: what a job will have served. */
#include "coordinator/live.h"

struct prepared {
    struct live *live;       /* not served yet; owned until it is */
    struct live *old;        /* what is served now, frozen; NULL */
    struct registry_id *ids; /* [group_count] of the job's groups */
    struct live_puts staged; /* of the run: harmless until the last commit */
    struct live_puts last;
    unsigned keeping; /* workers that have not answered */
};

/* [task] Makes all of it from the job and what is served now. */
kin_status prepare_make(struct prepared *p, struct cjob *job, struct kin_env *env) KIN_MUST_CHECK;

#endif
