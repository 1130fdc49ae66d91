/*
 * ioctl(2). Most requests are over at once, and some concern the thread that makes them, so only
 * those that are known to wait go to an offload thread.
 */
#include <errno.h>
#include <linux/cdrom.h>
#include <linux/dm-ioctl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/nbd.h>
#include <linux/usbdevice_fs.h>
#include <linux/videodev2.h>
#include <linux/vt.h>
#include <scsi/sg.h>
#include <sound/asound.h>
#include <sys/ioctl.h>

#include "blocking.h"
#include "descriptor.h"
#include "handlers.h"
#include "shim.h"

/* <asm/termbits.h>, which has their type, does not go with <sys/ioctl.h>. */
#undef TCSETSW2
#undef TCSETSF2
#define TCSETSW2 0x402c542cU
#define TCSETSF2 0x402c542dU

/* A disk's work: it ends by itself. */
static const unsigned int works[] = {
	BLKDISCARD, BLKSECDISCARD,  BLKZEROOUT,     BLKFLSBUF,     BLKRRPART,     FIFREEZE, FITHAW,
	FITRIM,     FICLONE,        FICLONERANGE,   FIDEDUPERANGE, FS_IOC_FIEMAP, FIBMAP,   SG_IO,
	CDROMEJECT, CDROMCLOSETRAY, DM_DEV_SUSPEND, DM_DEV_REMOVE, DM_TABLE_LOAD,
};

/* Somebody's turn: it may last. */
static const unsigned int waits[] = {
	TIOCMIWAIT,
	VT_WAITACTIVE,
	NBD_DO_IT,
	DM_DEV_WAIT,
	USBDEVFS_CONTROL,
	USBDEVFS_BULK,
	USBDEVFS_REAPURB,
	VIDIOC_DQBUF,
	SNDRV_PCM_IOCTL_WRITEI_FRAMES,
	SNDRV_PCM_IOCTL_READI_FRAMES,
	SNDRV_PCM_IOCTL_WRITEN_FRAMES,
	SNDRV_PCM_IOCTL_READN_FRAMES,
	SNDRV_PCM_IOCTL_DRAIN,
};

static bool is_in(unsigned int request, const unsigned int *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == request)
			return true;
	return false;
}

/* tcdrain(3), as an offload thread makes it: it waits until nothing is left to be sent. */
static long drain(const struct weft__call *c)
{
	struct weft__call wait = *c;

	wait.arg[1] = TCSBRK;
	wait.arg[2] = 1;
	return weft__blocking(&wait, NULL);
}

/*
 * What a terminal does once its output is sent. The request itself is the carrier's: a process in
 * the background is stopped by it, which a thread that blocks SIGTTOU would not be (ioctl_tty(2)).
 */
static long after_output(const struct weft__call *c)
{
	int left = 0;
	long result;

	if (weft__raw(SYS_ioctl, c->arg[0], TIOCOUTQ, &left) == 0 && left > 0) {
		result = drain(c);
		if (result != 0)
			return result;
	}
	return WEFT__PASS;
}

long on_ioctl(struct weft__call *c)
{
	unsigned int request = (unsigned int)c->arg[1];

	switch (request) {
	case FIONBIO:
		weft__fd_flags_changed();
		return WEFT__PASS;
	case TCSBRK: /* with 0, or TCSBRKP, it sends a break, a quarter of a second long */
		return c->arg[2] != 0 ? after_output(c) : weft__offloaded(c);
	case TCSBRKP:
		return weft__offloaded(c);
	case TCSETSW:
	case TCSETSF:
	case TCSETAW:
	case TCSETAF:
	case TCSETSW2:
	case TCSETSF2:
		return after_output(c);
	default:
		break;
	}
	if (is_in(request, works, sizeof(works) / sizeof(works[0])))
		return weft__offloaded(c);
	if (is_in(request, waits, sizeof(waits) / sizeof(waits[0])))
		return weft__blocking(c, NULL);
	return WEFT__PASS;
}
