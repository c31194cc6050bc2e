"""A bad wire inside a network namespace: what is sent to 10.99.0.2 comes back to 10.99.0.1, late, or not at all.

A packet's addresses change places, which leaves every checksum as it was, so that a connection to 10.99.0.2 is one to a
server on 10.99.0.1, with this process as the whole way between them. Lines on standard input: `drop` and `pass`.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def main(delay, loss):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
    for command in ("link set lo up", "address add 10.99.0.1/24 dev wire", "link set wire up"):
        subprocess.run(["ip", *command.split()], check=True)
    chance, waiting, lost, cut = random.Random(1), [], 0, False
    print("up", flush=True)
    while True:
        patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([tun, sys.stdin], [], [], patience)
        if sys.stdin in ready:
            order = sys.stdin.readline().strip()
            if not order:
                print(lost, flush=True)
                return
            cut = order == "drop"
            print(order, flush=True)
        if tun in ready:
            packet = os.read(tun, 65536)
            if cut or chance.random() < loss:
                lost += 1
            elif packet[0] >> 4 == 4:
                swapped = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
                heapq.heappush(waiting, (time.monotonic() + delay, lost, swapped))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(tun, heapq.heappop(waiting)[2])


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
