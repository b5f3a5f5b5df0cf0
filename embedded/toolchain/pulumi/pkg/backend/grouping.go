package backend

// groupingServiceLoop does what defaultServiceLoop does, and writes the state once for all mutations that wait.
//
// Upstream's writes the whole state for one mutation after the other, although steps that run side by side ask for
// theirs at the same time: that is most of an update of many resources. Here, too, nobody goes on whose mutation isn't
// on disk.
//
// The outputs of a component, which upstream's RegisterResourceOutputs writes one after the other while no step begins,
// are written with the next step, or at the end. A run that is killed before that registers them again.
func (sm *SnapshotManager) groupingServiceLoop(mutationRequests chan mutationRequest, done chan error) {
	elided := true
	for {
		select {
		case request := <-mutationRequests:
			group := []mutationRequest{request}
			changed := request.mutator()
			for waiting := true; waiting; {
				select {
				case request := <-mutationRequests:
					group = append(group, request)
					changed = request.mutator() || changed
				default:
					waiting = false
				}
			}
			var err error
			if changed {
				err = sm.saveSnapshot()
			}
			elided = !changed
			for _, request := range group {
				request.result <- err
			}
		case <-sm.cancel:
			var err error
			if elided {
				err = sm.saveSnapshot()
			}
			done <- err
			return
		}
	}
}
