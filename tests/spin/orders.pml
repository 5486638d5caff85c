/* Orders that come late, or twice: docs/FENCING.md 5, 10, 14, 15. One guest, two nodes. The lease is taken as
 * given (lease.pml): a node is declared gone only once its deadline has passed and it has ended its guests.
 * What is left is an order to start that was on its way meanwhile, and a start that was half done. */
#define MOVES 3
#define RETURNS 3

byte owner;
byte session_told[2], session[2];  /* As the leader knows it; as the node has it. */
bool in_time[2] = true, runs[2], preparing[2], gone[2];
bool order[2];                     /* To start, on its way to the node; it may come again. */
byte order_session[2];
byte moves, returns;

active proctype cell() {
    byte node;
    runs[0] = true;
    do
    :: atomic {
           if :: node = 0 :: node = 1 fi;
           if
           :: in_time[node] -> in_time[node] = false; runs[node] = false    /* The guard ends what runs. */
           :: !in_time[node] && !gone[node] ->
              gone[node] = true; session_told[node] = (session_told[node] + 1) % 4
           :: gone[owner] && !gone[node] && node != owner && moves < MOVES ->
              owner = node; moves++;
              order[node] = true; order_session[node] = session_told[node]
           :: !in_time[node] && returns < RETURNS ->                        /* Heard again, another session. */
              returns++; in_time[node] = true;
              if
              :: gone[node] -> gone[node] = false
              :: else -> session_told[node] = (session_told[node] + 1) % 4
              fi;
              session[node] = session_told[node];
#ifndef TWIN_STARTS_WITHOUT_LOOKING
              preparing[node] = false
#endif
#ifdef TWIN_ANY_SESSION
           :: order[node] && in_time[node] -> preparing[node] = true
#else
           :: order[node] && in_time[node] && order_session[node] == session[node] -> preparing[node] = true
#endif
           :: order[node] -> order[node] = false
#ifdef TWIN_STARTS_WITHOUT_LOOKING
           :: preparing[node] -> preparing[node] = false; runs[node] = true
#else
           :: preparing[node] -> preparing[node] = false; runs[node] = in_time[node] || runs[node]
#endif
#ifdef TWIN_RESTARTS_BY_ITSELF
           :: node == 0 && !runs[0] && session[0] == 0 -> runs[0] = true
#endif
           :: skip                                                          /* Nothing happens to it. */
           :: moves == MOVES && returns == RETURNS -> break
           fi;
           assert(!(runs[0] && runs[1]));
           node = 0
       }
    od
}
