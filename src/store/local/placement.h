// Where on the disk new trees go.
//
// ext4 without a journal (many small virtual machines) does not hand out an inode again for one to five
// minutes after it was deleted, and looks at every such inode one by one whenever it creates a file in their
// block group: after a collection of 40,000 files the next realisation took 5 to 15 times as long
// (docs/measurements/realise.md). New directories lie near their parent, so everything would always land in
// the same few groups. A directory below a "top directory" is put into the emptiest group instead: each
// realisation into one of its own, where nothing was deleted lately.
#pragma once

#include <filesystem>

#include "store/local/work_directory.h"

namespace flox::store {

// A new work directory below `parent`, in a part of the disk where files can be created quickly. On file
// systems that know nothing of this it is a WorkDirectory like any other. Throws Error.
WorkDirectory place_work_directory(const std::filesystem::path& parent);

}  // namespace flox::store
