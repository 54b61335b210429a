package dataplane

// What the dataplane asks of a kernel that lacks NFT_QUEUE (the queue statement of nftables) and
// NETFILTER_NETLINK_GLUE_CT (conntrack attributes in the verdict of a queue).

import (
	"encoding/binary"

	nfqueue "github.com/florianl/go-nfqueue/v2"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
)

// acceptedMark is the bit of a packet's mark that says that its verdict was to accept; kube-proxy has 0x4000 and 0x8000.
const acceptedMark uint32 = 0x200000

// queueTarget returns the NFQUEUE target of xtables, which nftables takes through nft_compat: struct xt_NFQ_info_v3,
// padded to eight bytes.
func queueTarget(config Config) *expr.Target {
	info := make(xt.Unknown, 8)
	binary.NativeEndian.PutUint16(info[0:], uint16(config.QueueID))
	binary.NativeEndian.PutUint16(info[2:], 1) // one queue
	if config.FailOpen {
		binary.NativeEndian.PutUint16(info[4:], 1) // NFQ_FLAG_BYPASS
	}
	return &expr.Target{Name: "NFQUEUE", Rev: 3, Info: &info}
}

// withAcceptedMark makes a verdict mark its packet, beside the marks that it has.
func withAcceptedMark(a nfqueue.Attribute) nfqueue.VerdictOption {
	mark := acceptedMark
	if a.Mark != nil {
		mark |= *a.Mark
	}
	return nfqueue.WithMark(mark)
}

// addAcceptedRules labels the connection of a marked packet and takes the mark away. An accepted packet goes on with the
// next chain of its hook, so these chains come right after those that queue.
func (c *Controller) addAcceptedRules(nft *nftables.Conn, table *nftables.Table) {
	for _, at := range []struct {
		name     string
		hook     *nftables.ChainHook
		priority nftables.ChainPriority
	}{
		{"accepted", nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource - 4},
		{"accepted-input", nftables.ChainHookInput, *nftables.ChainPriorityNATSource + 2},
	} {
		chain := nft.AddChain(&nftables.Chain{
			Name:     at.name,
			Table:    table,
			Type:     nftables.ChainTypeFilter,
			Hooknum:  at.hook,
			Priority: nftables.ChainPriorityRef(at.priority),
		})
		// meta mark & bit != 0 ct label set X meta mark set mark & ^bit
		nft.AddRule(&nftables.Rule{
			Table: table,
			Chain: chain,
			Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyMARK, Register: 0x1},
				masked(acceptedMark),
				&expr.Cmp{Op: expr.CmpOpNeq, Register: 0x1, Data: make([]byte, 4)},
				&expr.Immediate{Register: 0x1, Data: generateLabelMask(c.config.CTLabelAccept)},
				&expr.Ct{Register: 0x1, SourceRegister: true, Key: expr.CtKeyLABELS},
				&expr.Meta{Key: expr.MetaKeyMARK, Register: 0x1},
				masked(^acceptedMark),
				&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 0x1},
			},
		})
	}
}

// masked keeps some bits of the first register.
func masked(bits uint32) *expr.Bitwise {
	mask := binaryutil.NativeEndian.PutUint32(bits)
	return &expr.Bitwise{SourceRegister: 0x1, DestRegister: 0x1, Len: 4, Mask: mask, Xor: make([]byte, 4)}
}
