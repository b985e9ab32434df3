#ifndef KIN_TESTS_SIM_LIVE_CLIENT_H
#define KIN_TESTS_SIM_LIVE_CLIENT_H
/* A client of a cluster that serves, as a node of the simulated world: each request is sent again
 * under its number until it is answered for good, whatever happens to either side. What it is asked
 * survives its crashes: it is the test that asks. One thread. */
#include "proto/jobs.h"
#include "proto/live.h"
#include "proto/message.h"
#include "tests/sim/world.h"

enum { LIVE_REQUESTS = 12, LIVE_STRINGS = 6 };

struct live_request {
    struct kin_message m; /* strings in `strings`, or that outlive it */
    char strings[LIVE_STRINGS][64];
    unsigned string_count;
    struct kin_buf payload;
    bool there; /* KIN_E_NOTFOUND cannot be: it is asked again */
    int tag;    /* the caller's */

    bool used, answered;
    uint64_t sent_us, first_us;
    unsigned tries;

    kin_status status;
    char text[200];
    uint64_t batch, next;
    bool partial;
    uint64_t job;       /* of SUBMITTED */
    uint32_t job_state; /* of JOB_STATE_GOT */
    uint32_t file;      /* of UPLOADED; next: the offset */
    char *body;         /* payload of the answer; terminated */
    size_t body_bytes;
};

struct live_client {
    struct kin_sim *sim;
    kin_node_id node;
    struct live_life {
        struct kin_timer timer; /* first */
        struct live_client *client;
    } life;
    struct kin_env *env;
    uint64_t number;
    struct live_request requests[LIVE_REQUESTS];
    uint64_t boots, asked, asked_again;
};

/* Adds the node. c must not move. */
void live_client_init(struct live_client *c, struct kin_sim *sim, kin_node_id node);
void live_client_deinit(struct live_client *c); /* after the world */

/* A request to be filled in; NULL: too many are under way. */
struct live_request *live_client_begin(struct live_client *c, uint32_t type);
struct kin_str live_request_string(struct live_request *q, const char *text); /* a copy */
void live_client_send(struct live_client *c, struct live_request *q);
/* Runs the world until it is answered. false: not within limit_us. */
bool live_client_await(struct live_client *c, struct live_request *q, uint64_t limit_us);
void live_client_again(struct live_client *c, struct live_request *q); /* a new request like it */
void live_client_end(struct live_client *c, struct live_request *q); /* its memory is used again */

#endif
