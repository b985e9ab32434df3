/* The part of the contract suite that is about messages, over two live worlds in one process, which
 * the network connects: the coordinator is in one, a worker and a third node in the other. */
#include "common/env/live/live.h"
#include "tests/unit/env_contract_messages.h"
#include "tests/unit/net_kit.h"

struct side {
    struct kin_live *live;
    struct kin_net *net;
    kin_node_id self; /* to which frames from outside go */
};

struct pair {
    struct side coordinator, worker;
};

static void remote_send(void *arg, kin_node_id from, kin_node_id to, struct kin_frame *frame)
{
    struct side *side = arg;
    (void)from;
    kin_net_send(side->net, to, frame);
}

static void remote_frame(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct side *side = arg;
    kin_live_deliver(side->live, from, side->self, frame);
}

static void side_open(struct side *side, kin_node_id self, const char *address)
{
    struct kin_err err = {0};
    struct kin_live_options live = {.threads = 1};
    struct kin_net_identity identity = kit_identity(self);
    bool listens = self == KIN_COORDINATOR;
    struct kin_net_options net = {.role = listens ? KIN_NET_COORDINATOR : KIN_NET_WORKER,
                                  .address = address,
                                  .key = kit_key,
                                  .nodes = listens ? KIT_NODES - 1 : 0,
                                  .admit = kit_admit,
                                  .identity = &identity,
                                  .on_frame = remote_frame,
                                  .arg = side};
    side->self = self;
    if (kin_live_new(&live, &side->live, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    kin_live_set_remote(side->live, remote_send, side);
    if (kin_net_open(&net, &side->net, &err) != KIN_OK)
        fail_msg("%s", err.msg);
}

/* Nothing may be lost: the link is there before anybody speaks. */
static void *pair_open(struct kit_transport transport)
{
    struct pair *pair = kin_calloc(1, sizeof *pair);
    char address[64];
    assert_non_null(pair);
    side_open(&pair->coordinator, KIN_COORDINATOR, transport.address);
    if (kit_path(transport.address))
        kit_address_copy(address, transport.address);
    else
        snprintf(address, sizeof address, "tcp://127.0.0.1:%u",
                 kin_net_port(pair->coordinator.net));
    side_open(&pair->worker, 1, address);
    kit_wait(kin_net_is_up(pair->coordinator.net, 1) &&
             kin_net_is_up(pair->worker.net, KIN_COORDINATOR));
    return pair;
}

static void *pair_open_tcp(void)
{
    return pair_open(kit_tcp());
}

static void *pair_open_unix(void)
{
    return pair_open(kit_unix());
}

static void pair_close(void *world)
{
    struct pair *pair = world;
    assert_true(kin_net_close(pair->worker.net, 0));
    assert_true(kin_net_close(pair->coordinator.net, 0));
    kin_live_free(pair->worker.live);
    kin_live_free(pair->coordinator.live);
    kin_free(pair);
}

static void pair_add(void *world, kin_node_id id, const struct kin_node_ops *ops, void *args)
{
    struct pair *pair = world;
    struct side *side = id == KIN_COORDINATOR ? &pair->coordinator : &pair->worker;
    assert_int_equal(kin_live_add(side->live, id, NULL, ops, args, NULL), KIN_OK);
}

static void *run_coordinator(void *arg)
{
    struct pair *pair = arg;
    kin_live_run(pair->coordinator.live);
    return NULL;
}

static void pair_run(void *world)
{
    struct pair *pair = world;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_coordinator, pair), 0);
    kin_live_run(pair->worker.live);
    pthread_join(thread, NULL);
}

static void pair_stop(void *world)
{
    struct pair *pair = world;
    kin_live_stop(pair->coordinator.live);
    kin_live_stop(pair->worker.live);
}

static int run(const char *name, void *(*open)(void))
{
    struct env_contract_adapter adapter = {.name = name,
                                           .fifo = true,
                                           .loops = true,
                                           .open = open,
                                           .close = pair_close,
                                           .add = pair_add,
                                           .run = pair_run,
                                           .stop = pair_stop};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(frames_arrive_once_and_in_order, &adapter),
    };
    return cmocka_run_group_tests_name(adapter.name, tests, NULL, NULL);
}

int main(void)
{
    return run("two worlds, tcp", pair_open_tcp) + run("two worlds, unix", pair_open_unix);
}
